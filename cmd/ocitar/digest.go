package main

import (
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// digester passes a stream on and sums what it passed.
type digester struct {
	r   io.Reader
	sum digest.Digester
}

func newDigester(r io.Reader) *digester { return &digester{r, digest.Canonical.Digester()} }

func (d *digester) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.sum.Hash().Write(p[:n])
	return n, err
}

// printInputDigest prints the digest of the archive as it was stored: of the file, or of what came by stdin to its end.
func printInputDigest(cmd *cobra.Command, file string, stdin *digester) error {
	if file == "-" {
		if _, err := io.Copy(io.Discard, stdin); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), stdin.sum.Digest())
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	sum, err := digest.FromReader(f)
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), sum)
	return nil
}
