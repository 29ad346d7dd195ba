# SPDX-License-Identifier: Apache-2.0
# Puts files into a static library, without any tool but CMake.
#
#   embed_files(TARGET NAME name [DIRECTORY directory] FILES [file…])
#
# makes the library TARGET with `const struct embedded_file <name>_files[]` (embedded.h). Files are named from
# the calling folder, or from a directory that the build fills, and listed one by one, so that one that is missing
# breaks the build. Included, this file defines the function; run as a script (cmake -P), it writes the C source.

if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(EMBED_DIRECTORY ${CMAKE_CURRENT_LIST_DIR} CACHE INTERNAL "where embed.cmake and embedded.h are")

  function(embed_files target)
    cmake_parse_arguments(ARG "" "NAME;DIRECTORY" "FILES" ${ARGN})
    if(NOT ARG_DIRECTORY)
      set(ARG_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    endif()
    set(source ${CMAKE_CURRENT_BINARY_DIR}/${ARG_NAME}_files.c)
    list(TRANSFORM ARG_FILES PREPEND ${ARG_DIRECTORY}/ OUTPUT_VARIABLE paths)
    string(REPLACE ";" "|" names "${ARG_FILES}")
    add_custom_command(
      OUTPUT ${source}
      COMMAND ${CMAKE_COMMAND} -DNAME=${ARG_NAME} -DOUTPUT=${source} -DDIRECTORY=${ARG_DIRECTORY}
              "-DFILES=${names}" -P ${EMBED_DIRECTORY}/embed.cmake
      DEPENDS ${paths} ${EMBED_DIRECTORY}/embed.cmake
      VERBATIM)
    add_library(${target} STATIC ${source})
    target_include_directories(${target} PUBLIC ${EMBED_DIRECTORY})
  endfunction()
  return()
endif()

string(REPLACE "|" ";" FILES "${FILES}")
set(arrays "")
set(rows "")
set(index 0)
foreach(file IN LISTS FILES)
  file(READ ${DIRECTORY}/${file} hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const unsigned char file_${index}[] = {\n${bytes}0};\n")
  string(APPEND rows "    {\"${file}\", file_${index}, sizeof file_${index} - 1},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUTPUT}
  "#include \"embedded.h\"\n\n"
  "extern const struct embedded_file ${NAME}_files[];\n\n${arrays}\n"
  "const struct embedded_file ${NAME}_files[] = {\n${rows}    {NULL, NULL, 0},\n};\n")
