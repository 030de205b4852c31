# Batch scripts on SLURM daemons of their own, on this machine. Skipped, with the reason, where they cannot be started.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND AND TARGET sojourn_program)
  add_test(NAME slurm.daemons COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/daemons_test.py)
  set_tests_properties(slurm.daemons PROPERTIES LABELS slurm TIMEOUT 420 PROCESSORS 2 SKIP_RETURN_CODE 77
                       ENVIRONMENT "SOJOURN_PROGRAM=$<TARGET_FILE:sojourn_program>")
endif()
