"""`python -m stf2m_sk`; its commands are in `stf2m_sk.cli`."""

from stf2m_sk.cli import main

if __name__ == "__main__":
    main()
