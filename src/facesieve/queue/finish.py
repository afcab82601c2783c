"""The script of Redis that ends a job: it writes the result and removes the job, both or neither."""

from __future__ import annotations

# An error of Redis ends a script, and what it has done by then stays: so the kind of the key is checked first.
_SCRIPT = """
local kind = redis.call('TYPE', KEYS[2]).ok
if ARGV[1] == 'stream' and kind ~= 'stream' and kind ~= 'none' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is no stream')
end
if {remove} == 0 then return 0 end
if ARGV[1] == 'stream' then
  redis.call('XADD', KEYS[2], '*', unpack(ARGV, 5))
else
  redis.call('SET', KEYS[2], ARGV[#ARGV], 'EX', ARGV[2])
end
{forget}
return 1
"""


def finish_script(remove: str, forget: str) -> str:
    """The script that returns 1, or 0 and writes nothing if the job had ended already.

    remove: the call that removes the job and returns 0 if it is not there. forget: the call that follows a result.
    KEYS: where the job is, results; more if the calls need them. ARGV: "stream" or "key", seconds that a key stays,
    job, group (only a stream has one), then pairs of name and value, with the result as the last value.
    """
    return _SCRIPT.format(remove=remove, forget=forget)
