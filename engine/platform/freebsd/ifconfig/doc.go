// Package ifconfig renders ifconfig(8)'s arguments for bridges, epairs and aliases, and reads what it prints. Everything that is
// made gets a description that carries its owner's mark ("xc:<owner>:<network>" and "xc:<owner>:<container>:<network>", digits
// only), so that it is found without any record, and the group "xc".
package ifconfig
