package lifecycle_test

import (
	"context"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/lifecycle"
)

func TestRunToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id := w.create("web", nil, "echo", "hello")
		out := w.attach("web", nil)
		result, err := w.daemon.Wait(t.Context(), "web", engine.WaitNextExit)
		if err != nil {
			t.Fatal(err)
		}
		w.start(string(id[:12]))
		if got := out(); got != "hello\n" {
			t.Errorf("attached client got %q", got)
		}
		if r := <-result; r.ExitCode != 0 {
			t.Errorf("exit code %d", r.ExitCode)
		}
		c := w.wantState("web", engine.StateExited)
		if c.Status.Pid != 0 || c.Status.Finished.IsZero() || c.Endpoints["bridge"].IPv4.IsValid() {
			t.Errorf("after its end: %+v", c.Status)
		}
		if diff := cmp.Diff([]string{"create", "attach", "start", "die"}, w.events.take()); diff != "" {
			t.Error(diff)
		}
		w.wantClean(1)
	})
}

func TestExitCodes(t *testing.T) {
	for _, tc := range []struct {
		args   string
		code   int
		reason engine.Reason // of a failed start
	}{
		{"true", 0, ""},
		{"false", 1, ""},
		{"exit 42", 42, ""},
		{"missing", 127, engine.ReasonExecNotFound},
		{"/denied", 126, engine.ReasonExecDenied},
		{"/dir", 126, engine.ReasonExecIsDir},
	} {
		t.Run(tc.args, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.create("box1", nil, strings.Fields(tc.args)...)
				result, err := w.daemon.Wait(t.Context(), "box1", engine.WaitNextExit)
				if err != nil {
					t.Fatal(err)
				}
				err = w.daemon.Start(t.Context(), "box1")
				if tc.reason != "" {
					wantKind(t, err, engine.Invalid, tc.reason)
					w.wantState("box1", engine.StateCreated)
				} else if err != nil {
					t.Fatal(err)
				}
				if r := <-result; r.ExitCode != tc.code {
					t.Errorf("waited for exit code %d, want %d", r.ExitCode, tc.code)
				}
				if got := w.inspect("box1").Status.ExitCode; got != tc.code {
					t.Errorf("exit code %d, want %d", got, tc.code)
				}
				w.wantClean(1)
			})
		})
	}
}

func TestStop(t *testing.T) {
	for _, tc := range []struct {
		program string
		timeout int
		code    int
		took    time.Duration
		events  []string
	}{
		{"sleep 100", 10, 143, 0, []string{"kill", "stop", "die"}},
		{"stubborn", 3, 137, 3 * time.Second, []string{"kill", "kill", "stop", "die"}},
		{"stubborn", 0, 137, 0, []string{"kill", "kill", "stop", "die"}},
	} {
		t.Run(tc.program, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.create("box1", func(s *engine.Spec) { s.Restart.Name = engine.RestartAlways }, strings.Fields(tc.program)...)
				w.start("box1")
				w.events.take()
				began := time.Now()
				if err := w.daemon.Stop(t.Context(), "box1", engine.StopOptions{Timeout: &tc.timeout}); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took != tc.took {
					t.Errorf("took %v, want %v", took, tc.took)
				}
				if c := w.wantState("box1", engine.StateExited); c.Status.ExitCode != tc.code {
					t.Errorf("exit code %d, want %d", c.Status.ExitCode, tc.code)
				}
				if diff := cmp.Diff(tc.events, w.events.take()); diff != "" {
					t.Error(diff)
				}
				wantKind(t, w.daemon.Stop(t.Context(), "box1", engine.StopOptions{}), engine.NotModified, "")
				w.wantClean(1)
			})
		})
	}
}

func TestAutoRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create("box1", func(s *engine.Spec) { s.AutoRemove, s.VolumePaths = true, []string{"/data"} }, "exit", "7")
		result, err := w.daemon.Wait(t.Context(), "box1", engine.WaitRemoved)
		if err != nil {
			t.Fatal(err)
		}
		w.start("box1")
		if r := <-result; r.ExitCode != 7 {
			t.Errorf("exit code %d, want 7", r.ExitCode)
		}
		_, err = w.daemon.Inspect(t.Context(), "box1")
		wantKind(t, err, engine.NotFound, "")
		if diff := cmp.Diff([]string{"create", "mount", "start", "unmount", "die", "destroy"}, w.events.take()); diff != "" {
			t.Error(diff)
		}
		w.wantClean(0)
	})
}

func TestUpdateOfAnAutoRemovedContainer(t *testing.T) {
	w := newWorld(t)
	w.create("box1", func(s *engine.Spec) { s.AutoRemove = true }, "sleep", "1000")
	_, err := w.daemon.Update(t.Context(), "box1", engine.UpdateRequest{Restart: &engine.RestartPolicy{Name: engine.RestartAlways}})
	wantKind(t, err, engine.Conflict, "")
	if _, err := w.daemon.Update(t.Context(), "box1", engine.UpdateRequest{Restart: &engine.RestartPolicy{Name: engine.RestartNo}}); err != nil {
		t.Error(err)
	}
}

// A command is missing when there is no word of it. An empty word is one, which the start then does not find.
func TestCommandIsMissing(t *testing.T) {
	w := newWorld(t)
	for _, p := range []engine.ProcessSpec{{Cmd: []string{""}}, {Entrypoint: []string{""}, Cmd: []string{""}}} {
		if _, err := w.daemon.Create(t.Context(), engine.CreateRequest{Spec: engine.Spec{ImageRef: "box", Process: p}}); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
	_, err := w.daemon.Create(t.Context(), engine.CreateRequest{Spec: engine.Spec{ImageRef: "box", Process: engine.ProcessSpec{Entrypoint: []string{""}}}})
	wantKind(t, err, engine.Invalid, engine.ReasonNoCommand)
	_, err = w.daemon.Create(t.Context(), engine.CreateRequest{})
	wantKind(t, err, engine.Invalid, engine.ReasonNoCommand)
}

func TestRestartPolicies(t *testing.T) {
	for _, tc := range []struct {
		name   string
		policy engine.RestartPolicy
		args   string
		starts int
		state  engine.State
	}{
		{"no", engine.RestartPolicy{}, "false", 1, engine.StateExited},
		{"on-failure, which it is not", engine.RestartPolicy{Name: engine.RestartOnFailure}, "true", 1, engine.StateExited},
		{"on-failure, three times", engine.RestartPolicy{Name: engine.RestartOnFailure, MaxRetries: 3}, "false", 4, engine.StateExited},
		// 100 ms doubled up to a minute: 0, .1, .3, .7, 1.5, 3.1, 6.3, 12.7, 25.5, 51.1 and then 102.3 s after the first.
		{"always, for a minute", engine.RestartPolicy{Name: engine.RestartAlways}, "true", 10, engine.StateRestarting},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.create("box1", func(s *engine.Spec) { s.Restart = tc.policy }, strings.Fields(tc.args)...)
				w.start("box1")
				time.Sleep(time.Minute)
				synctest.Wait()
				w.wantState("box1", tc.state)
				starts := 0
				for _, a := range w.events.take() {
					if a == "start" {
						starts++
					}
				}
				if starts != tc.starts {
					t.Errorf("started %d times, want %d", starts, tc.starts)
				}
				if tc.state == engine.StateRestarting {
					wantKind(t, w.daemon.Remove(t.Context(), "box1", engine.RemoveOptions{}), engine.Conflict, engine.ReasonRunning)
					if err := w.daemon.Stop(t.Context(), "box1", engine.StopOptions{}); err != nil {
						t.Error(err)
					}
				}
				w.wantState("box1", engine.StateExited)
				w.wantClean(1)
			})
		})
	}
}

func TestForbiddenMovesNameTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d, ctx := w.daemon, t.Context()
		w.create("box1", nil, "sleep", "100")
		wantKind(t, d.Kill(ctx, "box1", ""), engine.Conflict, engine.ReasonNotRunning)
		wantKind(t, d.Pause(ctx, "box1"), engine.Conflict, engine.ReasonNotRunning)
		wantKind(t, d.Unpause(ctx, "box1"), engine.Conflict, engine.ReasonNotPaused)
		_, err := d.CreateExec(ctx, "box1", engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"true"}}})
		wantKind(t, err, engine.Conflict, engine.ReasonNotRunning)
		_, err = d.Top(ctx, "box1", nil)
		wantKind(t, err, engine.Conflict, engine.ReasonNotRunning)
		time.Sleep(2 * time.Second)
		w.start("box1")
		wantKind(t, d.Start(ctx, "box1"), engine.NotModified, "")
		wantKind(t, d.Remove(ctx, "box1", engine.RemoveOptions{}), engine.Conflict, engine.ReasonRunning)
		if err := d.Pause(ctx, "box1"); err != nil {
			t.Fatal(err)
		}
		wantKind(t, d.Start(ctx, "box1"), engine.Conflict, engine.ReasonPaused)
		_, err = d.CreateExec(ctx, "box1", engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"true"}}})
		wantKind(t, err, engine.Conflict, engine.ReasonPaused)
		_, err = d.Create(ctx, engine.CreateRequest{Name: "box1", Spec: engine.Spec{ImageRef: "box"}})
		wantKind(t, err, engine.Conflict, engine.ReasonNameTaken)
		_, err = d.Create(ctx, engine.CreateRequest{Name: "a b", Spec: engine.Spec{ImageRef: "box"}})
		wantKind(t, err, engine.Invalid, "")
		_, err = d.Create(ctx, engine.CreateRequest{Spec: engine.Spec{ImageRef: "nope"}})
		wantKind(t, err, engine.NotFound, "")
		if err := d.Remove(ctx, "box1", engine.RemoveOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
		wantKind(t, d.Start(ctx, "box1"), engine.NotFound, "")
		w.wantClean(0)
	})
}

func TestExec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create("box1", func(s *engine.Spec) { s.Process.Env = []string{"B=own"} }, "sleep", "100")
		w.start("box1")
		run := func(env []string, args ...string) (string, engine.Exec, error) {
			id, err := w.daemon.CreateExec(t.Context(), "box1", engine.ExecSpec{
				Process: engine.ProcessSpec{Cmd: args, Env: env}, AttachStdout: true, AttachStderr: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			s, err := w.daemon.StartExec(t.Context(), id, engine.ExecStart{})
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			err = s.Run(t.Context(), engine.Stdio{Stdout: &out, Stderr: &out})
			x, ierr := w.daemon.InspectExec(t.Context(), id)
			if ierr != nil {
				t.Fatal(ierr)
			}
			return out.String(), x, err
		}
		out, x, err := run([]string{"C=exec"}, "env")
		if err != nil || x.ExitCode == nil || *x.ExitCode != 0 || x.Running {
			t.Errorf("env: %v %+v", err, x)
		}
		if want := "B=own\nPATH=/bin\nA=image\nC=exec\n"; out != want {
			t.Errorf("environment %q, want %q", out, want)
		}
		_, x, err = run(nil, "missing")
		wantKind(t, err, engine.Invalid, engine.ReasonExecNotFound)
		if x.ExitCode == nil || *x.ExitCode != 127 {
			t.Errorf("missing: %+v", x)
		}
		_, err = w.daemon.StartExec(t.Context(), x.ID, engine.ExecStart{})
		wantKind(t, err, engine.Conflict, "")
	})
}

// An exec is of the run in which it was made.
func TestExecOfAnEarlierRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create("box1", nil, "sleep", "100")
		w.start("box1")
		id, err := w.daemon.CreateExec(t.Context(), "box1", engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"env"}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.daemon.Kill(t.Context(), "box1", "KILL"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		_, err = w.daemon.InspectExec(t.Context(), id)
		wantKind(t, err, engine.NotFound, "")
		_, err = w.daemon.StartExec(t.Context(), id, engine.ExecStart{})
		wantKind(t, err, engine.NotFound, "")
		time.Sleep(time.Second)
		w.start("box1")
		_, err = w.daemon.StartExec(t.Context(), id, engine.ExecStart{})
		wantKind(t, err, engine.NotFound, "")
		if id, err = w.daemon.CreateExec(t.Context(), "box1", engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"env"}}}); err != nil {
			t.Fatal(err)
		}
		if _, err = w.daemon.StartExec(t.Context(), id, engine.ExecStart{}); err != nil {
			t.Error(err)
		}
	})
}

// A container tells which execs have not ended, those that nobody began too; one that has ended stays known by its id.
func TestExecsOfAContainer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create("box1", nil, "sleep", "100")
		w.start("box1")
		create := func(args ...string) engine.ExecID {
			id, err := w.daemon.CreateExec(t.Context(), "box1", engine.ExecSpec{Process: engine.ProcessSpec{Cmd: args}})
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		waits, runs, ended := create("env"), create("sleep", "1"), create("env")
		for _, id := range []engine.ExecID{runs, ended} {
			if _, err := w.daemon.StartExec(t.Context(), id, engine.ExecStart{Detach: true}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		want := []engine.ExecID{waits, runs}
		got := w.inspect("box1").Execs
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("execs %v, want %v", got, want)
		}
		if err := w.daemon.Kill(t.Context(), "box1", "KILL"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := w.inspect("box1").Execs; len(got) != 0 {
			t.Errorf("execs after the end: %v", got)
		}
		_, err := w.daemon.StartExec(t.Context(), ended, engine.ExecStart{})
		wantKind(t, err, engine.Conflict, engine.ReasonNotRunning)
		time.Sleep(2 * time.Second)
		w.start("box1")
		_, err = w.daemon.StartExec(t.Context(), ended, engine.ExecStart{})
		wantKind(t, err, engine.Conflict, "")
	})
}

// Whoever makes execs and never begins them does not fill the memory.
func TestExecsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create("box1", nil, "sleep", "100")
		w.start("box1")
		var ids []engine.ExecID
		for range 1001 {
			id, err := w.daemon.CreateExec(t.Context(), "box1", engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"env"}}})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
			time.Sleep(time.Millisecond)
		}
		_, err := w.daemon.InspectExec(t.Context(), ids[0])
		wantKind(t, err, engine.NotFound, "")
		for _, id := range []engine.ExecID{ids[1], ids[1000]} {
			if _, err := w.daemon.InspectExec(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
	})
}

// A lack of memory is published and shown when it happens, whatever it ends; one that ends the container is published once.
func TestOutOfMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id := w.create("box1", nil, "sleep", "100")
		w.start("box1")
		w.events.take()
		w.host.OOM(id)
		if c := w.wantState("box1", engine.StateRunning); !c.Status.OOMKilled {
			t.Error("not shown")
		}
		w.host.Kill(id)
		synctest.Wait()
		if got, want := w.events.take(), []string{"oom", "die"}; !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
		if c := w.wantState("box1", engine.StateExited); !c.Status.OOMKilled {
			t.Error("not shown after the end")
		}
		w.start("box1")
		if c := w.wantState("box1", engine.StateRunning); c.Status.OOMKilled {
			t.Error("shown in the next run")
		}
	})
}

// The policy counts restarts from the start that somebody asked for, however long the runs in between last.
func TestRestartsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create("lasts", func(s *engine.Spec) { s.Restart.Name = engine.RestartAlways }, "sleep", "20")
		w.create("fails", func(s *engine.Spec) { s.Restart = engine.RestartPolicy{Name: engine.RestartOnFailure, MaxRetries: 1} }, "false")
		w.start("lasts")
		for range 2 {
			w.start("fails")
			time.Sleep(35 * time.Second)
			synctest.Wait()
		}
		if n := w.inspect("lasts").Status.Restarts; n != 3 {
			t.Errorf("what lasts was restarted %d times, want 3", n)
		}
		starts := 0
		for _, a := range w.events.take() {
			if a == "start" {
				starts++
			}
		}
		if c := w.wantState("fails", engine.StateExited); c.Status.Restarts != 1 || starts != 4+2*2 {
			t.Errorf("what fails was restarted %d times since its start, %d starts altogether", c.Status.Restarts, starts)
		}
		if err := w.daemon.Stop(t.Context(), "lasts", engine.StopOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// A run begins with the health "starting" at the moment it is seen to run, and still shows the last run's probes.
func TestHealthOfTheNextRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create("box1", func(s *engine.Spec) {
			s.Health = &engine.HealthSpec{Test: []string{"CMD", "echo", "fine"}, Interval: time.Second}
		}, "sleep", "100")
		w.start("box1")
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		if h := w.inspect("box1").Status.Health; h.Status != engine.HealthHealthy || len(h.Log) != 2 {
			t.Errorf("first run: %+v", h)
		}
		if err := w.daemon.Restart(t.Context(), "box1", engine.StopOptions{}); err != nil {
			t.Fatal(err)
		}
		if h := w.inspect("box1").Status.Health; h.Status != engine.HealthStarting || len(h.Log) != 2 || h.Failing != 0 {
			t.Errorf("second run: %+v", h)
		}
	})
}

// Who waits for an end is told of each, though a restart by policy follows.
func TestWaitForOneThatRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create("box1", func(s *engine.Spec) { s.Restart.Name = engine.RestartAlways }, "exit", "7")
		wait := func(cond engine.WaitCondition) <-chan engine.WaitResult {
			result, err := w.daemon.Wait(t.Context(), "box1", cond)
			if err != nil {
				t.Fatal(err)
			}
			return result
		}
		waits := map[engine.WaitCondition]<-chan engine.WaitResult{}
		for _, cond := range []engine.WaitCondition{engine.WaitNextExit, engine.WaitRemoved} {
			waits[cond] = wait(cond)
		}
		w.start("box1")
		waits[engine.WaitNotRunning] = wait(engine.WaitNotRunning)
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, cond := range []engine.WaitCondition{engine.WaitNextExit, engine.WaitNotRunning} {
			select {
			case r := <-waits[cond]:
				if r.ExitCode != 7 {
					t.Errorf("%s: %+v", cond, r)
				}
			default:
				t.Errorf("%s is not told", cond)
			}
		}
		if len(waits[engine.WaitRemoved]) > 0 {
			t.Error("it was not removed")
		}
	})
}

// A container that is being made has taken its name, and is not there yet for those who look.
func TestLookAtOneThatIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		looked := 0
		w.fail = func(string) {
			looked++
			if _, err := w.daemon.Inspect(context.Background(), "box1"); engine.KindOf(err) != engine.NotFound {
				t.Errorf("it is found: %v", err)
			}
		}
		w.create("box1", nil, "true")
		if looked == 0 {
			t.Error("no step was seen")
		}
	})
}

// A container that is killed or removed by force while a restart by policy brings it up does not come once more.
func TestEndAmidARestart(t *testing.T) {
	amid := func(w *world) {
		w.t.Helper()
		w.create("box1", func(s *engine.Spec) { s.Restart.Name = engine.RestartAlways }, "sleep", "1000")
		w.start("box1")
		starts := false
		w.fail = func(step string) {
			if step == "start.sandbox" {
				starts = true
				time.Sleep(time.Second)
			}
		}
		if err := w.daemon.Kill(context.Background(), "box1", "HUP"); err != nil {
			w.t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		if !starts {
			w.t.Fatal("it does not start again")
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		amid(w)
		if err := w.daemon.Kill(t.Context(), "box1", "KILL"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if c := w.inspect("box1"); c.Status.State != engine.StateExited || c.Status.ExitCode != 137 {
			t.Errorf("a minute after the kill: %s %d", c.Status.State, c.Status.ExitCode)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		amid(w)
		if err := w.daemon.Remove(t.Context(), "box1", engine.RemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
		if list, err := w.daemon.List(t.Context(), engine.ContainerQuery{All: true}); err != nil || len(list) > 0 {
			t.Errorf("left: %+v, %v", list, err)
		}
	})
}

// A restart whose client goes while the container stops is finished.
func TestRestartOfAClientThatWent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create("box1", nil, "stubborn")
		w.start("box1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		timeout := 3
		if err := w.daemon.Restart(ctx, "box1", engine.StopOptions{Timeout: &timeout}); err != nil {
			t.Error(err)
		}
		if ctx.Err() == nil {
			t.Fatal("the container did not take its time to stop")
		}
		if c := w.inspect("box1"); c.Status.State != engine.StateRunning {
			t.Errorf("it is %s", c.Status.State)
		}
	})
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		check := func(test ...string) func(*engine.Spec) {
			return func(s *engine.Spec) { s.Health = &engine.HealthSpec{Test: test, Interval: time.Second, Retries: 2} }
		}
		w.create("good", check("CMD", "echo", "fine"), "sleep", "100")
		w.create("bad", check("CMD", "false"), "sleep", "100")
		w.create("slow", func(s *engine.Spec) {
			s.Health = &engine.HealthSpec{Test: []string{"CMD", "stubborn"}, Interval: time.Second, Timeout: 5 * time.Second, Retries: 1}
		}, "sleep", "100")
		for _, c := range []string{"good", "bad", "slow"} {
			w.start(c)
			if h := w.inspect(c).Status.Health; h == nil || h.Status != engine.HealthStarting {
				t.Errorf("%s begins with %+v", c, h)
			}
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		for c, want := range map[string]engine.HealthStatus{"good": engine.HealthHealthy, "bad": engine.HealthUnhealthy, "slow": engine.HealthUnhealthy} {
			h := w.inspect(c).Status.Health
			if h.Status != want || len(h.Log) == 0 {
				t.Errorf("%s is %+v, want %s", c, h, want)
			}
		}
		if h := w.inspect("good").Status.Health; len(h.Log) != 5 || h.Log[0].Output != "fine\n" {
			t.Errorf("probes: %+v", h.Log)
		}
		changes := slices.DeleteFunc(w.events.take(), func(a string) bool { return !strings.HasPrefix(a, "health_status") })
		slices.Sort(changes)
		if diff := cmp.Diff([]string{"health_status: healthy", "health_status: unhealthy", "health_status: unhealthy"}, changes); diff != "" {
			t.Error(diff)
		}
	})
}

// The time that it takes to start a check is not counted.
func TestHealthOnABusyHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.host.FailOn(func(call string, _ engine.ContainerID) error {
			if call == "StartExec" {
				time.Sleep(10 * time.Second)
			}
			return nil
		})
		w.create("box1", func(s *engine.Spec) {
			s.Health = &engine.HealthSpec{Test: []string{"CMD", "echo", "fine"}, Interval: time.Second, Timeout: time.Second, Retries: 1}
		}, "sleep", "100")
		w.start("box1")
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if h := w.inspect("box1").Status.Health; h.Status != engine.HealthHealthy || len(h.Log) != 1 || h.Log[0].Output != "fine\n" {
			t.Errorf("%+v", h)
		}
	})
}

// A bind that has the daemon's own mounts in it follows the host, or is refused if it shall not.
func TestBindsOverTheStateDirectory(t *testing.T) {
	w := newWorld(t)
	create := func(source, propagation string) (engine.Container, error) {
		made, err := w.daemon.Create(t.Context(), engine.CreateRequest{Spec: engine.Spec{
			ImageRef: "box", Mounts: []engine.MountSpec{{Kind: engine.MountBind, Source: source, Target: "/m", Propagation: propagation, CreateSource: true}},
		}})
		if err != nil {
			return engine.Container{}, err
		}
		return w.daemon.Inspect(t.Context(), string(made.ID))
	}
	state := filepath.Join(w.dir, "state")
	for _, tc := range []struct{ source, propagation, want string }{
		{"/", "", "rslave"},
		{state, "", "rslave"},
		{state + "/containers", "rslave", "rslave"},
		{state, "rshared", "rshared"},
		{state + "-not", "", "rprivate"},
		{state + "-not", "slave", "slave"},
	} {
		c, err := create(tc.source, tc.propagation)
		if err != nil {
			t.Errorf("%+v: %v", tc, err)
		} else if got := c.Mounts[0].Propagation; got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
	}
	for _, propagation := range []string{"private", "rprivate", "slave", "shared"} {
		if _, err := create(state, propagation); engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), `must use either propagation mode "rslave" or "rshared"`) {
			t.Errorf("%s: %v", propagation, err)
		}
	}
}

// steps lists every failpoint that a whole life passes, in order, each once.
func steps(t *testing.T) []string {
	var all []string
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fail = func(step string) {
			if !slices.Contains(all, step) {
				all = append(all, step)
			}
		}
		if err := life(w.daemon); err != nil {
			t.Error(err)
		}
		w.daemon.Close()
	})
	if len(all) < 15 {
		t.Fatalf("only %d steps: %v", len(all), all)
	}
	return all
}

// life creates, starts, stops and removes a container with a volume, as far as it comes.
func life(d *lifecycle.Service) error {
	ctx := context.Background()
	zero := 0
	for _, step := range []func() error{
		func() error {
			_, err := d.Create(ctx, engine.CreateRequest{Name: "box1", Spec: engine.Spec{
				ImageRef: "box", Process: engine.ProcessSpec{Cmd: []string{"sleep", "100"}}, VolumePaths: []string{"/data"},
				Mounts: []engine.MountSpec{{Kind: engine.MountImage, Source: "box", Target: "/image"}},
			}})
			return err
		},
		func() error { return d.Start(ctx, "box1") },
		func() error { return d.Stop(ctx, "box1", engine.StopOptions{Timeout: &zero}) },
		func() error { return d.Remove(ctx, "box1", engine.RemoveOptions{Volumes: true}) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// TestKilledAtEveryStep kills the daemon at each failpoint of a life, starts another one and expects that nothing leaks, that
// every state is a settled one, and that the same life succeeds.
func TestKilledAtEveryStep(t *testing.T) {
	for _, at := range steps(t) {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var once sync.Once
				killed := make(chan struct{})
				w.fail = func(step string) {
					if step == at {
						once.Do(func() { close(killed) })
						runtime.Goexit() // as a killed daemon: nothing after this step is done
					}
				}
				go life(w.daemon) //nolint:errcheck // it is killed on the way
				<-killed
				synctest.Wait()
				w.boot()
				synctest.Wait()
				if c, err := w.daemon.Inspect(t.Context(), "box1"); err == nil {
					if c.Status.Intent != engine.IntentNone {
						t.Errorf("left with intent %s", c.Status.Intent)
					}
					if !slices.Contains([]engine.State{engine.StateCreated, engine.StateRunning, engine.StateExited}, c.Status.State) {
						t.Errorf("left %s", c.Status.State)
					}
					if err := w.daemon.Remove(t.Context(), "box1", engine.RemoveOptions{Force: true, Volumes: true}); err != nil {
						t.Error(err)
					}
				}
				w.wantClean(0)
				if err := life(w.daemon); err != nil {
					t.Error(err)
				}
				w.wantClean(0)
				time.Sleep(time.Minute) // what waited in the killed daemon gives up
			})
		})
	}
}

func TestContainersOutliveTheDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		always := func(s *engine.Spec) { s.Restart.Name = engine.RestartAlways }
		w.create("runs", nil, "sleep", "1000")
		w.create("ended", nil, "sleep", "1000")
		w.create("restarts", always, "sleep", "1000")
		w.create("removed", func(s *engine.Spec) { s.AutoRemove = true }, "sleep", "1000")
		for _, c := range []string{"runs", "ended", "restarts", "removed"} {
			w.start(c)
		}
		before := w.inspect("runs")
		w.daemon.Close()
		for _, c := range []string{"ended", "restarts", "removed"} {
			w.host.Kill(w.inspect(c).ID)
		}
		synctest.Wait()
		w.boot()
		synctest.Wait()
		after := w.wantState("runs", engine.StateRunning)
		if before.Status.Pid != after.Status.Pid || before.Endpoints["bridge"].ID != after.Endpoints["bridge"].ID {
			t.Errorf("it changed: %+v, %+v", before.Status, after.Status)
		}
		if c := w.wantState("ended", engine.StateExited); c.Status.ExitCode != 137 {
			t.Errorf("exit code %d, want 137", c.Status.ExitCode)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		w.wantState("restarts", engine.StateRunning)
		_, err := w.daemon.Inspect(t.Context(), "removed")
		wantKind(t, err, engine.NotFound, "")
		result, err := w.daemon.Wait(t.Context(), "runs", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.daemon.Stop(t.Context(), "runs", engine.StopOptions{}); err != nil {
			t.Error(err)
		}
		if r := <-result; r.ExitCode != 143 {
			t.Errorf("exit code %d, want 143", r.ExitCode)
		}
		if err := w.daemon.Remove(t.Context(), "restarts", engine.RemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
		w.wantClean(2)
	})
}

// A shutdown of the host ends containers in order and within its time; the next boot brings back those whose policy asks for it.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		policy := func(name engine.RestartMode) func(*engine.Spec) {
			return func(s *engine.Spec) { s.Restart.Name = name }
		}
		w.create("plain", nil, "sleep", "1000")
		w.create("always", policy(engine.RestartAlways), "sleep", "1000")
		w.create("unless", policy(engine.RestartUnlessStopped), "sleep", "1000")
		w.create("stopped", policy(engine.RestartUnlessStopped), "sleep", "1000")
		w.create("stubborn", func(s *engine.Spec) { n := 1000; s.StopTimeout = &n }, "stubborn")
		w.create("joined", func(s *engine.Spec) { s.Network.Mode = "container:plain" }, "sleep", "1000")
		w.create("gone", func(s *engine.Spec) { s.AutoRemove = true }, "sleep", "1000")
		for _, c := range []string{"plain", "always", "unless", "stopped", "stubborn", "joined", "gone"} {
			w.start(c)
		}
		if err := w.daemon.Stop(t.Context(), "stopped", engine.StopOptions{}); err != nil {
			t.Fatal(err)
		}
		w.hold = true
		w.boot()
		began := time.Now()
		if err := w.daemon.Shutdown(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("took %v, though a minute was all the patience", took)
		}
		for _, c := range []string{"plain", "always", "unless", "stopped", "stubborn", "joined"} {
			w.wantState(c, engine.StateExited)
		}
		joined, plain := w.inspect("joined").Status.Finished, w.inspect("plain").Status.Finished
		if joined.After(plain) {
			t.Errorf("whose network was used ended at %v, its user at %v", plain, joined)
		}
		w.wantClean(6)
		w.hold = false
		w.boot()
		synctest.Wait()
		for c, state := range map[string]engine.State{
			"plain": engine.StateExited, "always": engine.StateRunning, "unless": engine.StateRunning, "stopped": engine.StateExited,
			"stubborn": engine.StateExited, "joined": engine.StateExited,
		} {
			w.wantState(c, state)
		}
	})
}

func TestFailingDriversLeaveNothing(t *testing.T) {
	for _, call := range []string{"CreateRoot", "MountRoot", "CreateSandbox", "StartShim", "Launch", "Run"} {
		t.Run(call, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.host.FailOn(func(c string, _ engine.ContainerID) error {
					if c == call {
						return errInjected
					}
					return nil
				})
				_, err := w.daemon.Create(t.Context(), engine.CreateRequest{Name: "box1", Spec: engine.Spec{ImageRef: "box", VolumePaths: []string{"/v"}}})
				if err == nil {
					err = w.daemon.Start(t.Context(), "box1")
				}
				wantKind(t, err, engine.Internal, "")
				w.host.FailOn(nil)
				if _, err := w.daemon.Inspect(t.Context(), "box1"); err == nil {
					w.wantState("box1", engine.StateCreated)
					if err := w.daemon.Remove(t.Context(), "box1", engine.RemoveOptions{Volumes: true}); err != nil {
						t.Error(err)
					}
				}
				w.wantClean(0)
				if len(w.store.all) != 0 {
					t.Errorf("%d records left", len(w.store.all))
				}
			})
		})
	}
}

func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				res, err := w.daemon.Create(t.Context(), engine.CreateRequest{Spec: engine.Spec{ImageRef: "box", AutoRemove: true, Process: engine.ProcessSpec{Cmd: []string{"exit", "3"}}}})
				if err != nil {
					t.Error(err)
					return
				}
				result, err := w.daemon.Wait(t.Context(), string(res.ID), engine.WaitRemoved)
				if err != nil {
					t.Error(err)
					return
				}
				if err := w.daemon.Start(t.Context(), string(res.ID)); err != nil {
					t.Error(err)
				}
				if r := <-result; r.ExitCode != 3 {
					t.Errorf("exit code %d", r.ExitCode)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		w.wantClean(0)
	})
}

// Where several containers whose volumes are wanted have one at the same place, the last that is named gives it.
func TestVolumesFromSeveral(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"first", "last"} {
		w.create(name, func(s *engine.Spec) {
			s.Mounts = []engine.MountSpec{{Kind: engine.MountVolume, Source: name, Target: "/data"}, {Kind: engine.MountVolume, Source: "own-" + name, Target: "/" + name}}
		}, "true")
	}
	w.create("heir", func(s *engine.Spec) { s.VolumesFrom = []string{"first", "last"} }, "true")
	got := map[string]string{}
	for _, p := range w.inspect("heir").Mounts {
		got[p.Target] = p.Name
	}
	if diff := cmp.Diff(map[string]string{"/data": "last", "/first": "own-first", "/last": "own-last"}, got); diff != "" {
		t.Error(diff)
	}
}

// A mounted image has a root of its own, which lives as long as the container and is mounted while that runs.
func TestImageMount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		image := engine.MountSpec{Kind: engine.MountImage, Source: "xc", Target: "/image", Subpath: "sub"}
		w.create("web", func(s *engine.Spec) { s.Mounts = []engine.MountSpec{image} }, "sleep", "1000")
		w.create("heir", func(s *engine.Spec) { s.VolumesFrom = []string{"web"} }, "sleep", "1000")
		w.wantClean(4)
		roots := map[engine.ContainerID]bool{}
		for _, name := range []string{"web", "heir"} {
			p := w.inspect(name).Mounts[0]
			if p.Name != "xc" || p.Image != xcImage().ID || !p.ReadOnly || p.Source != "/fake/"+string(p.Root) || p.Subpath != "sub" {
				t.Errorf("%s: %+v", name, p)
			}
			roots[p.Root] = true
		}
		if len(roots) != 2 {
			t.Errorf("they share a root: %v", roots)
		}
		users, err := w.daemon.ImageUsers(t.Context(), xcImage().ID)
		if err != nil || len(users) != 2 {
			t.Errorf("%d users, %v", len(users), err)
		}
		counts, err := w.daemon.ImageCounts(t.Context())
		if err != nil || counts[xcImage().ID] != 2 || counts["sha256:box"] != 2 {
			t.Errorf("counted %v, %v", counts, err)
		}
		w.start("web")
		mounted := func() (n int) {
			for _, left := range w.host.Leftovers() {
				if strings.HasPrefix(left, "mount") {
					n++
				}
			}
			return n
		}
		if mounted() != 2 {
			t.Errorf("while it runs: %q", w.host.Leftovers())
		}
		w.boot()
		synctest.Wait()
		w.wantState("web", engine.StateRunning)
		if mounted() != 2 {
			t.Errorf("after a restart of the daemon: %q", w.host.Leftovers())
		}
		if err := w.daemon.Stop(t.Context(), "web", engine.StopOptions{}); err != nil {
			t.Fatal(err)
		}
		w.wantClean(4)
		for _, name := range []string{"web", "heir"} {
			if err := w.daemon.Remove(t.Context(), name, engine.RemoveOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		w.wantClean(0)
		_, err = w.daemon.Create(t.Context(), engine.CreateRequest{Spec: engine.Spec{ImageRef: "box", Mounts: []engine.MountSpec{{Kind: engine.MountImage, Source: "none", Target: "/image"}}}})
		wantKind(t, err, engine.NotFound, "")
		w.wantClean(0)
	})
}

// The working directory is made with the root, but for what only a build sees.
func TestWorkDirIsMadeAtCreate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		in := func(dir string, transient bool) func(*engine.Spec) {
			return func(s *engine.Spec) { s.Process.WorkDir, s.Transient = dir, transient }
		}
		id := w.create("box1", in("/a/b", false), "true")
		w.create("box2", in("/", false), "true")
		w.create("box3", in("", false), "true")
		w.create("box4", in("/a/b", true), "true")
		if diff := cmp.Diff([]string{"/a/b in /fake/" + string(id)}, w.files.made); diff != "" {
			t.Error(diff)
		}
		w.wantClean(4)
		spec := engine.Spec{ImageRef: "box"}
		in("/file", false)(&spec)
		_, err := w.daemon.Create(t.Context(), engine.CreateRequest{Spec: spec})
		wantKind(t, err, engine.Internal, "")
		w.wantClean(4)
	})
}
