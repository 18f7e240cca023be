-- A remote that is no URL, or of a kind that there is not, is refused by name.
--@ vfs graft
--@ log on
--@ open a a.db?remote=nonsense
--@ open b b.db?remote=file://relative/path
--@ open c c.db?remote=ftp://host/repo/app
--@ open d d.db?remote=file:///
--@ open e e.db?remote=file:///one/../two/app
--@ open f f.db?remote=https://user:secret@host/app
--@ exists a.db
--@ open main main.db
PRAGMA graft_remote = 'nonsense';
PRAGMA graft_remote = 'file:///a//b';
PRAGMA graft_remote;
CREATE TABLE t(v);
