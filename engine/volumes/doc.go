// Package volumes keeps volumes: directories of the host that containers share and that outlive them. There is one driver,
// "local": a directory <dir>/<name>/_data, or whatever the options type, device and o say is to be mounted there.
//
// Decisions:
//   - A record is written before its directory is made, and deleted after its directory is gone, so that every directory has
//     a record. What a crash left half-made or half-removed is finished by Open.
//   - Who uses a volume is asked of the containers, stopped ones included; it is not counted here. Only for volumes that are
//     mounted somewhere, their users are recorded, so that the last one unmounts also when the daemon was restarted between.
//   - A copy-up is made beside the volume and then moved in, noted in between: a crash leaves all of it or nothing.
//   - Steps on one volume happen one after the other, on different volumes at the same time.
package volumes
