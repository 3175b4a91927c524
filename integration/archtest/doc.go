// Package archtest holds the project's import rule: which room may import which. The rule is one table; the test prints the
// offending import with the row that it breaks.
package archtest
