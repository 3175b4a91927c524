// Package daemon joins the services to each other and to a platform's drivers, brings them up in order, and ends them.
//
// The services meet here and nowhere else. Where two need each other (a network must know its users, a container its
// networks), the one is given a reference that is filled once both exist, before any request is served.
//
// Start: lock the state directory → owner mark → database → services → recovery of networks, volumes, containers → serve.
// End, in reverse; containers run on.
package daemon
