add_test(NAME install.outside_project COMMAND ${PROJECT_SOURCE_DIR}/tests/install/check.sh ${CMAKE_BINARY_DIR} ${PROJECT_SOURCE_DIR}
         $<TARGET_EXISTS:sojourn_device> "${CMAKE_CUDA_COMPILER}")
set_tests_properties(install.outside_project PROPERTIES LABELS "unit" TIMEOUT 300)
