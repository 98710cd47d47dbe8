"""What the black-box tests stand on: the program under test, simulated providers and the local model, each as a
process that a test starts, asks and ends.

Nothing here knows an SDK, and nothing here asserts: `Gateway`, `Sim` and `LocalModel` only do and tell. Tests live in
`clients/`, `local_model/` and `crash/`.
"""

from rig.gateway import Gateway
from rig.local_model import LocalModel
from rig.program import program
from rig.sim import Sim

__all__ = ["Gateway", "LocalModel", "Sim", "program"]
