# One static library a folder of src/, one test binary beside it.
#
#   hearth_layer(NAME [DEPENDS target…])
#
# makes `hearth_NAME` of all *.cc in the current folder (subfolders are layers or targets of their own) and,
# of all *_test.cc, the test program `hearth_NAME_test`, which ctest runs.
function(hearth_layer name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$|/main\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(sources)
    add_library(hearth_${name} STATIC ${sources})
    hearth_precompile(hearth_${name})
    set(scope PUBLIC)
  else()
    add_library(hearth_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(hearth_${name} ${scope} ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(hearth_${name} ${scope} ${ARG_DEPENDS})
  if(tests)
    add_executable(hearth_${name}_test ${tests})
    target_link_libraries(hearth_${name}_test PRIVATE hearth_${name} GTest::gtest GTest::gmock GTest::gtest_main)
    hearth_precompile_test(hearth_${name}_test)
    add_test(NAME ${name} COMMAND hearth_${name}_test)
  endif()
endfunction()

# hearth_main(NAME DEPENDS target…): the program NAME of the current folder's main.cc.
function(hearth_main name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  add_executable(${name} main.cc)
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS})
  hearth_precompile(${name})
endfunction()
