# What CMake is told and finds: versions that are refused, and which CUDA is taken.
foreach(case "GNU 11.4.0 older" "GNU 12.0.0 accepted" "Clang 15.0.7 older" "Clang 16.0.0 accepted" "CUDA 11.8 older"
             "CUDA 13.0 accepted" "Cray 1.0 accepted")
  separate_arguments(case)
  list(GET case 0 what)
  list(GET case 1 version)
  list(GET case 2 outcome)
  add_test(NAME configure.${what}_${version}
           COMMAND ${CMAKE_COMMAND} -DWHAT=${what} -DVERSION=${version} -P ${CMAKE_CURRENT_LIST_DIR}/versions_test.cmake)
  if(outcome STREQUAL "older")
    set(said "${what} ${version} is too old: [0-9.]+ or newer is needed")
  else()
    set(said "accepted")
  endif()
  set_tests_properties(configure.${what}_${version} PROPERTIES LABELS unit PASS_REGULAR_EXPRESSION "${said}")
endforeach()

# A toolkit that lies elsewhere is taken in the place of the one in PATH, by environment or by cache.
if(CMAKE_CUDA_COMPILER)
  add_test(NAME configure.cuda_root COMMAND ${CMAKE_CURRENT_LIST_DIR}/cuda_root.sh ${CMAKE_COMMAND} ${CMAKE_CUDA_COMPILER})
  set_tests_properties(configure.cuda_root PROPERTIES LABELS unit TIMEOUT 300)
endif()

# GCC builds the rest; clang is the other compiler that is named as supported, and the one of the thread sanitizer.
add_test(NAME configure.clang_openmp COMMAND ${CMAKE_CURRENT_LIST_DIR}/clang_openmp.py ${CMAKE_COMMAND} ${PROJECT_SOURCE_DIR}
                                             ${CMAKE_BINARY_DIR}/tests/clang)
set_tests_properties(configure.clang_openmp PROPERTIES LABELS unit TIMEOUT 900 PROCESSORS 2 SKIP_RETURN_CODE 77)
