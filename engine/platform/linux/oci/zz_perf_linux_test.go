package oci_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/lifecycle"
	"github.com/xcengine/xc/engine/platform/linux/oci"
	"github.com/xcengine/xc/engine/runtimetest"
)

func TestZPerf(t *testing.T) {
	if os.Getenv("PERF") == "" {
		t.Skip("PERF")
	}
	init := buildInit(t)
	name := os.Getenv("PERF")
	runtimetest.Run(t, runtimetest.Platform{
		Image: engine.Platform{OS: "linux", Architecture: runtime.GOARCH},
		Open: func(t *testing.T, state string, owner engine.Owner) lifecycle.Runtime {
			r, err := oci.New(t.Context(), config(t, name, init, state, owner))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { r.Close() })
			return r
		},
	}, runtimetest.Case{Name: "Perf", Test: func(t *testing.T, b *runtimetest.Bench) {
		var create, launch, remove, exec, render []time.Duration
		for range 20 {
			spec := b.Describe("sleep", "100000")
			t0 := time.Now()
			c := b.Create(spec)
			_ = c
			t1 := time.Now()
			if _, err := b.Runtime.Launch(context.Background(), c.Spec, c.Box); err != nil {
				t.Fatal(err)
			}
			t2 := time.Now()
			if err := c.Launch(); err != nil {
				t.Fatal(err)
			}
			t3 := time.Now()
			for range 3 {
				e0 := time.Now()
				p, err := c.Exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"true"}}})
				if err != nil {
					t.Fatal(err)
				}
				exec = append(exec, time.Since(e0))
				p.Wait(0)
			}
			c.Main.Signal(9)
			c.Main.Status()
			t4 := time.Now()
			c.Remove()
			t5 := time.Now()
			create, render, launch, remove = append(create, t1.Sub(t0)), append(render, t2.Sub(t1)), append(launch, t3.Sub(t2)), append(remove, t5.Sub(t4))
		}
		for n, d := range map[string][]time.Duration{"create(+supervisor)": create, "render": render, "launch": launch, "exec": exec, "remove": remove} {
			slices.Sort(d)
			fmt.Println(n, "min", d[0], "median", d[len(d)/2], "max", d[len(d)-1])
		}
	}})
}
