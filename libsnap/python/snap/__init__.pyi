import os
from typing import List, Literal, Optional, Union, overload

__all__: List[str]
__version__: str

_File = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]", int]

class Pending:
    pid: int
    stopped_seconds: float
    def wait(self, timeout: Optional[float] = ...) -> None: ...
    def cancel(self) -> None: ...

@overload
def dump(file: _File, *, graph: bool = ..., traces: Optional[bool] = ..., hashes: bool = ..., keys: bool = ...,
         wait: Literal[True] = ...) -> None: ...
@overload
def dump(file: _File, *, graph: bool = ..., traces: Optional[bool] = ..., hashes: bool = ..., keys: bool = ...,
         wait: Literal[False]) -> Pending: ...
def start(frames: int = ..., *, interval: int = ..., signal: Optional[int] = ...,
          file: Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"] = ...) -> None: ...
def stop() -> None: ...
