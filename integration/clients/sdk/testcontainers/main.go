// Testcontainers does what a Go test that uses Testcontainers does and prints what came of it: "first-day" cleans up behind
// itself, "crash" leaves a container to the reaper.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/exec"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
)

var ours = testcontainers.WithLabels(map[string]string{"org.example.shop": "tc"})

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	scenario := map[string]func(context.Context) error{"first-day": firstDay, "crash": crash}[os.Args[1]]
	if err := scenario(ctx); err != nil {
		log.Fatal(err)
	}
}

// says runs a command in a container and tells its exit code and output.
func says(ctx context.Context, what string, c testcontainers.Container, command ...string) error {
	code, out, err := c.Exec(ctx, command, exec.Multiplexed())
	if err != nil {
		return err
	}
	text, err := io.ReadAll(out)
	fmt.Printf("%s: %d %q\n", what, code, text)
	return err
}

func firstDay(ctx context.Context) error {
	net, err := network.New(ctx, network.WithLabels(map[string]string{"org.example.shop": "tc"}))
	if err != nil {
		return err
	}
	web, err := testcontainers.Run(ctx, "testbox", ours, testcontainers.WithCmd("httpd", ":80", "from testcontainers"), testcontainers.WithExposedPorts("80/tcp"),
		network.WithNetwork([]string{"web"}, net), testcontainers.WithWaitStrategyAndDeadline(2*time.Minute, wait.ForHTTP("/").WithPort("80/tcp")))
	if err != nil {
		return err
	}
	address, err := web.PortEndpoint(ctx, "80/tcp", "http")
	if err != nil {
		return err
	}
	answer, err := http.Get(address)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	fmt.Printf("http: %d %q\n", answer.StatusCode, strings.SplitN(string(body), "\n", 2)[0])
	worker, err := testcontainers.Run(ctx, "testbox", ours, testcontainers.WithCmd("sh", "-c", "echo ready to work; cat /conf; sleep 1000"), testcontainers.WithEnv(map[string]string{"A": "1"}),
		network.WithNetwork(nil, net), testcontainers.WithFiles(testcontainers.ContainerFile{Reader: strings.NewReader("a setting\n"), ContainerFilePath: "/conf", FileMode: 0o644}),
		testcontainers.WithTmpfs(map[string]string{"/scratch": "rw,size=1m"}), testcontainers.WithWaitStrategyAndDeadline(2*time.Minute, wait.ForLog("a setting")))
	if err != nil {
		return err
	}
	if err := says(ctx, "exec", worker, "sh", "-c", "env A; cat /conf; exit 3"); err != nil {
		return err
	}
	if err := says(ctx, "names", worker, "get", "http://web/"); err != nil {
		return err
	}
	if err := worker.CopyToContainer(ctx, []byte("later"), "/tmp/later", 0o600); err != nil {
		return err
	}
	back, err := worker.CopyFileFromContainer(ctx, "/tmp/later")
	if err != nil {
		return err
	}
	defer back.Close()
	copied, err := io.ReadAll(back)
	if err != nil {
		return err
	}
	logs, err := worker.Logs(ctx)
	if err != nil {
		return err
	}
	defer logs.Close()
	said, err := io.ReadAll(logs)
	if err != nil {
		return err
	}
	state, err := worker.State(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("copied: %q\nlogs: %q\nstate: %s\n", copied, said, state.Status)
	patience := time.Second
	if err := worker.Stop(ctx, &patience); err != nil {
		return err
	}
	if err := worker.Start(ctx); err != nil {
		return err
	}
	fmt.Println("running again:", worker.IsRunning())
	for _, c := range []testcontainers.Container{worker, web} {
		if err := testcontainers.TerminateContainer(c); err != nil {
			return err
		}
	}
	return net.Remove(ctx)
}

func crash(ctx context.Context) error {
	if _, err := testcontainers.Run(ctx, "testbox", ours, testcontainers.WithCmd("sleep", "1000")); err != nil {
		return err
	}
	fmt.Println("left to the reaper")
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}
