// Package db keeps the daemon's records in one SQLite database, one file per table group. It knows the words of package
// engine and no service; each service declares the store that it needs and finds it here.
//
// Decisions:
//   - Write-ahead log with synchronous=NORMAL: a commit costs no fsync. A killed daemon loses nothing; a machine that loses
//     power may lose the last transactions, and recovery then treats what is found in the kernel and on disk as it treats
//     any leftover.
//   - One connection: the daemon is the only client, its transactions are short, and a second connection would cost memory
//     and bring lock waits.
//   - A record is a JSON document with the columns that queries need beside it. Fields are only ever added to the words, so
//     an older document still decodes; a change of meaning is a migration.
package db
