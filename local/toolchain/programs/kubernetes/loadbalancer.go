package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os/signal"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// The period after which routes are looked at again even if no Service has changed: somebody may have removed one.
const routePeriod = 10 * time.Second

// A loadBalancer gives each Service of type LoadBalancer an address and the machine a route to it; inside the node
// kube-proxy's rules for status.loadBalancer answer.
type loadBalancer struct {
	client   kubernetes.Interface
	services listers.ServiceLister
	pool     netip.Prefix
	gateway  netip.Addr
}

// runLoadBalancer runs in the machine's own network namespace, beside the node.
func runLoadBalancer(arguments []string) error {
	flags := flag.NewFlagSet("load-balancer", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the API server")
	pool := flags.String("range", "", "addresses to give, as CIDR")
	gateway := flags.String("gateway", "", "address of the node")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	balancer := loadBalancer{}
	var err error
	if balancer.pool, err = netip.ParsePrefix(*pool); err != nil {
		return err
	}
	if balancer.gateway, err = netip.ParseAddr(*gateway); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	if balancer.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return balancer.run(ctx)
}

func (b *loadBalancer) run(ctx context.Context) error {
	factory := informers.NewSharedInformerFactory(b.client, 0)
	services := factory.Core().V1().Services()
	b.services = services.Lister()
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default: // A reconciliation is already due; it will see this change too.
		}
	}
	_, err := services.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { notify() },
		UpdateFunc: func(any, any) { notify() },
		DeleteFunc: func(any) { notify() },
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	fmt.Println("watching Services") // The machine's side waits for this line.
	ticker := time.NewTicker(routePeriod)
	for {
		if err := b.reconcile(ctx); err != nil {
			fmt.Println(time.Now().Format(time.RFC3339), err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-ticker.C:
		}
	}
}

// reconcile brings every Service and every route to what they should be, whatever happened before.
func (b *loadBalancer) reconcile(ctx context.Context) error {
	all, err := b.services.List(labels.Everything())
	if err != nil {
		return err
	}
	used := map[netip.Addr]bool{}
	var waiting []*corev1.Service
	for _, service := range all {
		address := b.addressOf(service)
		switch {
		case !balanced(service):
			err = b.setAddress(ctx, service, netip.Addr{})
		case address.IsValid() && !used[address]:
			used[address] = true
		default:
			waiting = append(waiting, service)
		}
		if err != nil {
			return err
		}
	}
	for _, service := range waiting {
		address, err := b.freeAddress(used)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", service.Namespace, service.Name, err)
		}
		used[address] = true
		if err := b.setAddress(ctx, service, address); err != nil {
			return err
		}
		fmt.Printf("%s %s/%s has %s\n", time.Now().Format(time.RFC3339), service.Namespace, service.Name, address)
	}
	return setRoutes(b.pool, b.gateway, used)
}

// balanced tells whether the Service asks this controller for an address.
func balanced(service *corev1.Service) bool {
	return service.Spec.Type == corev1.ServiceTypeLoadBalancer &&
		service.Spec.LoadBalancerClass == nil && service.DeletionTimestamp == nil
}

// addressOf is the address of the pool that the Service has, or the zero address.
func (b *loadBalancer) addressOf(service *corev1.Service) netip.Addr {
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		address, err := netip.ParseAddr(ingress.IP)
		if err == nil && b.pool.Contains(address) {
			return address
		}
	}
	return netip.Addr{}
}

func (b *loadBalancer) freeAddress(used map[netip.Addr]bool) (netip.Addr, error) {
	for address := b.pool.Masked().Addr().Next(); b.pool.Contains(address); address = address.Next() {
		if !used[address] {
			return address, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("every address of %s is taken", b.pool)
}

// setAddress writes the status; the zero address takes a given one away.
func (b *loadBalancer) setAddress(ctx context.Context, service *corev1.Service, address netip.Addr) error {
	if b.addressOf(service) == address {
		return nil
	}
	changed := service.DeepCopy()
	changed.Status.LoadBalancer.Ingress = nil
	if address.IsValid() {
		changed.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address.String()}}
	}
	_, err := b.client.CoreV1().Services(service.Namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{})
	return err
}
