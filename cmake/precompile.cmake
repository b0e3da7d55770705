# Headers of libraries that most sources include, parsed once a build folder instead of once a source.
#
#   hearth_precompile(TARGET)        for a library or a program
#   hearth_precompile_test(TARGET)   for a test program: GoogleTest's headers too, and no optimisation, because a
#                                    test's own code is compiled often and run once
#
# Sources include what they use all the same: a build without these headers must work.
# One set of flags a header: a target that overrides those of the folder can't share it.
add_library(hearth_precompiled OBJECT ${CMAKE_CURRENT_LIST_DIR}/precompiled.cc)
target_precompile_headers(hearth_precompiled PRIVATE ${CMAKE_CURRENT_LIST_DIR}/precompiled.h)
target_link_libraries(hearth_precompiled PRIVATE Boost::json Boost::url OpenSSL::Crypto fmt::fmt spdlog::spdlog)

add_library(hearth_precompiled_test OBJECT ${CMAKE_CURRENT_LIST_DIR}/precompiled.cc)
target_compile_options(hearth_precompiled_test PRIVATE -O0)
target_precompile_headers(hearth_precompiled_test PRIVATE ${CMAKE_CURRENT_LIST_DIR}/precompiled.h <gmock/gmock.h>
                                                          <gtest/gtest.h>)
target_link_libraries(hearth_precompiled_test PRIVATE Boost::json Boost::url OpenSSL::Crypto fmt::fmt spdlog::spdlog
                                                      GTest::gtest GTest::gmock)

function(hearth_precompile target)
  target_precompile_headers(${target} REUSE_FROM hearth_precompiled)
endfunction()

function(hearth_precompile_test target)
  target_compile_options(${target} PRIVATE -O0)
  target_precompile_headers(${target} REUSE_FROM hearth_precompiled_test)
endfunction()
