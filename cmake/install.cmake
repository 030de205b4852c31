# Filled by the packaging work: install(TARGETS ...), sojourn-config.cmake, sojourn.pc.
