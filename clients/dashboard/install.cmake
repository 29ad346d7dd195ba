# SPDX-License-Identifier: Apache-2.0
# Brings what package-lock.json names into the folder WORK, with the program NPM; says what can be done when it fails.
execute_process(
  COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
  WORKING_DIRECTORY ${WORK}
  RESULT_VARIABLE status
  OUTPUT_QUIET)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "npm could not fetch what the dashboard is made with; what it said is above. It needs the package "
    "registry that it is set up for (npm config get registry), or a cache that was filled before. The daemon can be built "
    "without the dashboard: cmake -DFLASHFARM_DASHBOARD=OFF")
endif()
