"""Hosts and schemes that no fetch may lead to."""

from __future__ import annotations

# Each leads to this machine or to another that is not public, in one of the notations that systems understand.
LITERALS = [
    *("127.0.0.1", "127.1", "127.0.1", "0", "0.0.0.0", "0x7f.0.0.1", "0x7f000001", "2130706433", "017700000001"),
    *("0177.0.0.1", "0x7f.1", "127.0.0.1.", "localhost", "LOCALHOST", "localhost.", "127.127.127.127", "10.0.0.1"),
    *("192.168.1.1", "172.16.0.1", "169.254.169.254", "0xa9fea9fe", "2852039166", "100.64.0.1", "192.0.0.192"),
    *("198.18.0.1", "224.0.0.1", "255.255.255.255", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]"),
    *("[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]"),
    *("[2001:0:7f00:1::]", "[fe80::1]", "[fe80::1%25lo]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[fec0::1]"),
    *("0x7f.0x0.0x0.0x1", "0300.0250.1.1", "192.88.99.1", "[::ffff:a9fe:a9fe]", "[2002:a9fe:a9fe::1]"),
    *("[2606:2800::5efe:7f00:1]", "[::ffff:0:127.0.0.1]", "[100::1]", "[2001:db8::1]"),
    *("１２７.０.０.１", "127。0。0。1", "ⓛocalhost", "①②⑦.0.0.1", "user@127.0.0.1", "example.org@127.0.0.1"),
    *(
        "127.0.0.1#@example.org",
        "127.0.0.1%00.example.org",
        "%31%32%37.0.0.1",
        "%6cocalhost",
        "127.0.0.1\\@example.org",
    ),
]

SCHEMES = ["file", "gopher", "ftp", "dict", "ldap", "ws", "unix", "jar", "data", "javascript"]
