package integration

import "testing"

// What an administrator flushes of the packet filter comes back by itself.
func TestFlushedRulesComeBack(t *testing.T) {
	e := start(t)
	e.must("run", "-d", "--name", "web", "-p", freePort(t)+":80", "testbox", "httpd")
	e.must("run", "--rm", "testbox", "true")
	before := rules(t, e.owner())
	if len(before) == 0 {
		t.Skip("needs nft")
	}
	if out, err := output("nft", "delete", "table", "inet", "xc-"+e.owner()); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	eventually(t, "the rules of before", func() bool { return len(rules(t, e.owner())) == len(before) })
}
