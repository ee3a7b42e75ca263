// One program for every part of the local cluster's node: its first argument picks the part. The parts share
// almost all of their packages, so one link takes a fraction of the time and room that one program each would.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// Made only when it is asked for: making a command registers flags and metrics of that part alone.
var servers = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kube-proxy":              kubeproxy.NewProxyCommand,
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
}

// The parts that are ours, not Kubernetes'.
var tools = map[string]func(arguments []string) error{
	"certificates":  writeCertificates,
	"node":          runNode,
	"load-balancer": runLoadBalancer,
}

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("the first argument names the part to run"))
	}
	part, arguments := os.Args[1], os.Args[2:]
	if part == "etcd" {
		etcdmain.Main(os.Args[1:])
		return
	}
	if newCommand, found := servers[part]; found {
		command := newCommand()
		command.SetArgs(arguments)
		os.Exit(cli.Run(command))
	}
	tool, found := tools[part]
	if !found {
		fail(fmt.Errorf("there is no part %q", part))
	}
	if err := tool(arguments); err != nil {
		fail(fmt.Errorf("%s: %w", part, err))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
