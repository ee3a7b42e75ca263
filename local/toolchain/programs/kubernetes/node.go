package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// A bind shows a folder of the machine inside the node, under a short path that no other node uses.
type bind struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// nodeConfig is what the TypeScript side writes for `node`.
type nodeConfig struct {
	// Folders hidden behind empty ones, because Kubernetes and containerd write to fixed paths below them.
	Hidden []string `json:"hidden"`
	Binds  []bind   `json:"binds"`
	// Values that the node's processes find in files of the kernel, which keep their own outside of it.
	KernelSettings map[string]string `json:"kernelSettings"`
	Units          []*unit           `json:"units"`
}

// runNode is process 1 of the node: it expects network, mount and process-id namespaces of its own. It arranges the
// files, keeps every unit running and reaps orphans. When it ends, however it ends, the kernel ends every process of
// the node with it (pid_namespaces(7)) and drops every mount: nothing can be left behind.
func runNode(arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("the argument is the configuration file")
	}
	text, err := os.ReadFile(arguments[0])
	if err != nil {
		return err
	}
	var config nodeConfig
	if err := json.Unmarshal(text, &config); err != nil {
		return err
	}
	if os.Getpid() != 1 {
		return fmt.Errorf("it must be the first process of a process-id namespace")
	}
	if err := arrangeFiles(config); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	newSupervisor(config.Units).start()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM, unix.SIGINT)
	<-stop
	return nil
}

// arrangeFiles hides and binds. The sources are opened first: what hides may lie above them.
func arrangeFiles(config nodeConfig) error {
	sources := make([]int, len(config.Binds))
	for index, bind := range config.Binds {
		descriptor, err := unix.Open(bind.From, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open %s: %w", bind.From, err)
		}
		sources[index] = descriptor
	}
	for _, folder := range config.Hidden {
		if err := unix.Mount("model-delivery", folder, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("hide %s: %w", folder, err)
		}
	}
	for index, bind := range config.Binds {
		if err := os.MkdirAll(bind.To, 0o755); err != nil {
			return err
		}
		source := filepath.Join("/proc/self/fd", strconv.Itoa(sources[index]))
		if err := unix.Mount(source, bind.To, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("bind %s to %s: %w", bind.From, bind.To, err)
		}
		unix.Close(sources[index])
	}
	if err := showSettings(config.KernelSettings); err != nil {
		return err
	}
	// Volumes that ask for mount propagation need a shared tree; it is shared inside the node only.
	return unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, "")
}

func showSettings(settings map[string]string) error {
	for path, value := range settings {
		source, err := os.CreateTemp("/run", "setting-")
		if err != nil {
			return err
		}
		if _, err := source.WriteString(value + "\n"); err != nil {
			return err
		}
		source.Close()
		if err := unix.Mount(source.Name(), path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("show %s: %w", path, err)
		}
	}
	return nil
}
