// Package cgroup finds the host's control group hierarchies and works directly on one container's groups in them: it
// lists, freezes, kills, measures and removes. Making a group and writing its limits is the OCI runtime's work.
//
// A host has one hierarchy per controller (version 1), one for all (version 2), or both (hybrid: version 2 is mounted too,
// mostly without controllers). A Group is the same path in every hierarchy that is mounted; each question is asked of the
// hierarchy that has the controller. Everything is read from files below the mount points, so all of it is tested on
// directory trees on any system. File names and formats are those of the kernel's admin-guide/cgroup-v1 and cgroup-v2.rst.
package cgroup
