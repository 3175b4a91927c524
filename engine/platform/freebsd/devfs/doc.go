// Package devfs generates devfs(8) rulesets. A ruleset is named by the content of its rules: containers that want the same share
// one, a ruleset that exists is never redefined, and its number is kept, so that a restart of the daemon finds it again.
package devfs
