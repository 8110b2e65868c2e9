"""All mutants."""
from typing import Tuple

from mutant import Mutant
from seeds_checks import CHECKS
from seeds_exceptions import EXCEPTIONS
from seeds_foreign import FOREIGNERS
from seeds_handover import HANDOVER
from seeds_hostile import HOSTILES
from seeds_image import IMAGE
from seeds_linux import LINUX
from seeds_machine import MACHINE
from seeds_records import RECORDS
from seeds_restore import RESTORING
from seeds_scalable import SCALABLE
from seeds_tools import TOOLS
from seeds_vtd import VTD

MUTANTS: Tuple[Mutant, ...] = (VTD + SCALABLE + MACHINE + RECORDS + LINUX + FOREIGNERS + RESTORING +
                               HANDOVER + CHECKS + EXCEPTIONS + HOSTILES + IMAGE + TOOLS)
