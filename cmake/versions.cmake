# The versions that Sojourn is for; the README's table is these. Libraries of Debian 12 are older than none that will do.
set(SOJOURN_LEAST_GNU 12)
set(SOJOURN_LEAST_Clang 16)
set(SOJOURN_LEAST_CUDA 12.0)
set(SOJOURN_LEAST_MPI 3.0)

# Ends the configuration where `found`, a version of `what`, is older than `least`; `way_out` says what to do.
function(sojourn_expect_version what found least way_out)
  if(found VERSION_LESS least)
    message(FATAL_ERROR "${what} ${found} is too old: ${least} or newer is needed; ${way_out}")
  endif()
endfunction()

# The C++ compiler; one of another make is tried without a word of ours.
function(sojourn_expect_compiler)
  if(DEFINED SOJOURN_LEAST_${CMAKE_CXX_COMPILER_ID})
    sojourn_expect_version(${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} ${SOJOURN_LEAST_${CMAKE_CXX_COMPILER_ID}}
                           "give another by -DCMAKE_CXX_COMPILER=")
  endif()
endfunction()
