"""The demo of `python -m stf2m_sk demo`: personalise to new people, beside three controls."""
