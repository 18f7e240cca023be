-- In a directory without the right to write, a database cannot be made; one that is there says so when written to.
--@ vfs graft
--@ unprivileged
--@ mkdir locked
--@ chmod locked 555
--@ log on
--@ open a locked/a.db
--@ log off
--@ chmod locked 755
--@ open b locked/b.db
CREATE TABLE t(v);
INSERT INTO t VALUES (1);
--@ close
--@ chmod locked/b.db 555
--@ chmod locked/b.db/image 444
--@ chmod locked/b.db/log.0 444
--@ chmod locked/b.db/config 444
--@ chmod locked/b.db/lock 444
--@ log on
--@ open c locked/b.db
SELECT * FROM t;
INSERT INTO t VALUES (2);
--@ log off
--@ close
--@ chmod locked/b.db 755
--@ chmod locked/b.db/image 644
--@ chmod locked/b.db/log.0 644
--@ chmod locked/b.db/config 644
--@ chmod locked/b.db/lock 644
--@ open d locked/b.db
INSERT INTO t VALUES (3);
SELECT * FROM t;
