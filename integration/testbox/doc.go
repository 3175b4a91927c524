// Testbox is the program that the test images are made of: one static binary that does, under many names, what tests need of
// a user land, for every platform that containers run on. It is called by a link of the command's name or as
// "testbox COMMAND ARGS…"; without arguments it lists the commands.
package main
