"""`python -m cyclegan_tf`: the command line."""

from cyclegan_tf.cli import main

if __name__ == "__main__":
    main()
