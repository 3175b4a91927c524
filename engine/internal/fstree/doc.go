// Package fstree reaches into file trees that somebody else may be changing at the same moment: the roots of containers,
// while they run, and volumes. Nothing done through it touches a file outside the tree, whatever symbolic links stand there
// or are put there meanwhile.
//
// Decisions:
//   - Every step is one system call relative to an open directory, with one name that is not followed. Links are read and
//     resolved here, with the tree's own root as "/"; ".." is answered from the directories on the way, never by the kernel.
//     Compared with openat2(2) and RESOLVE_IN_ROOT this costs some calls more, and it works on every system, tells where a
//     path leads, and lets other directories be mounted on the way.
//   - os.Root refuses what we must resolve (an absolute link is a link from the container's root), so it is not used.
package fstree
