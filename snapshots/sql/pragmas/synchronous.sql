-- Each level is taken and told; commits stay in each.
PRAGMA synchronous;
CREATE TABLE t(level INT);
PRAGMA synchronous = OFF;
INSERT INTO t VALUES (0);
PRAGMA synchronous;
PRAGMA synchronous = NORMAL;
INSERT INTO t VALUES (1);
PRAGMA synchronous;
PRAGMA synchronous = 3;
INSERT INTO t VALUES (3);
PRAGMA synchronous;
PRAGMA synchronous = FULL;
BEGIN;
INSERT INTO t VALUES (2);
PRAGMA synchronous = OFF;
COMMIT;
PRAGMA synchronous;
--@ reopen
PRAGMA synchronous;
SELECT group_concat(level) FROM t;
