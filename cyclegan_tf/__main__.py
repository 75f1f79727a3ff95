"""`python -m cyclegan_tf`: the command line."""

from cyclegan_tf.commands.main import main

if __name__ == "__main__":
    main()
