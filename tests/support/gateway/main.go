// A small Gateway of the Gateway API for the tests: it divides the requests of a namespace's HTTPRoutes by their
// weights, and writes the conditions that a Gateway's controller writes.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

const (
	account    = "/var/run/secrets/kubernetes.io/serviceaccount/"
	controller = "model-delivery.test/gateway"
	group      = "/apis/gateway.networking.k8s.io/v1"
)

type metadata struct {
	Name            string `json:"name"`
	Generation      int64  `json:"generation"`
	ResourceVersion string `json:"resourceVersion"`
}

type backend struct {
	Name   string `json:"name"`
	Port   int    `json:"port"`
	Weight *int   `json:"weight"`
}

type route struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		ParentRefs []struct {
			Name string `json:"name"`
		} `json:"parentRefs"`
		Rules []struct {
			BackendRefs []backend `json:"backendRefs"`
		} `json:"rules"`
	} `json:"spec"`
}

type target struct {
	address string
	weight  int
}

var (
	namespace = os.Getenv("NAMESPACE")
	gateway   = os.Getenv("GATEWAY")
	server    = "https://" + os.Getenv("KUBERNETES_SERVICE_HOST") + ":" + os.Getenv("KUBERNETES_SERVICE_PORT")
	targets   atomic.Pointer[[]target]
	api       *http.Client
	told      string
)

func ask(method, path string, body, into any) error {
	token, err := os.ReadFile(account + "token")
	if err != nil {
		return err
	}
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, server+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	request.Header.Set("Content-Type", "application/merge-patch+json")
	response, err := api.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s %s", method, path, response.Status, answer)
	}
	return json.Unmarshal(answer, into)
}

// addresses of the namespace's Services, by their names. The Gateway's own is told in its status.
func addresses() (map[string]string, error) {
	var list struct {
		Items []struct {
			Metadata metadata `json:"metadata"`
			Spec     struct {
				ClusterIP string `json:"clusterIP"`
			} `json:"spec"`
			Status struct {
				LoadBalancer struct {
					Ingress []struct {
						IP string `json:"ip"`
					} `json:"ingress"`
				} `json:"loadBalancer"`
			} `json:"status"`
		} `json:"items"`
	}
	if err := ask("GET", "/api/v1/namespaces/"+namespace+"/services", nil, &list); err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, service := range list.Items {
		found[service.Metadata.Name] = service.Spec.ClusterIP
		if given := service.Status.LoadBalancer.Ingress; service.Metadata.Name == gateway && len(given) > 0 {
			if err := tellAddress(given[0].IP); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

func tellAddress(address string) error {
	if told == address {
		return nil
	}
	told = address
	status := map[string]any{"addresses": []any{map[string]any{"type": "IPAddress", "value": address}}}
	path := group + "/namespaces/" + namespace + "/gateways/" + gateway + "/status"
	return ask("PATCH", path, map[string]any{"status": status}, &route{})
}

func condition(kind, reason, message string, generation int64) map[string]any {
	status := "True"
	if message != "" {
		status = "False"
	}
	return map[string]any{"type": kind, "status": status, "reason": reason, "message": message,
		"observedGeneration": generation, "lastTransitionTime": time.Now().UTC().Format(time.RFC3339)}
}

// take puts a route into use, then says so: whoever reads the condition may send requests.
func take(one route, services map[string]string) error {
	found, missing := []target{}, []string{}
	for _, rule := range one.Spec.Rules {
		for _, backend := range rule.BackendRefs {
			address, ok := services[backend.Name]
			if !ok {
				missing = append(missing, backend.Name)
				continue
			}
			weight := 1
			if backend.Weight != nil {
				weight = *backend.Weight
			}
			found = append(found, target{fmt.Sprintf("%s:%d", address, backend.Port), weight})
		}
	}
	targets.Store(&found)
	reason, message := "ResolvedRefs", ""
	if len(missing) > 0 {
		reason, message = "BackendNotFound", "no Service "+strings.Join(missing, ", ")
	}
	generation := one.Metadata.Generation
	parent := map[string]any{"parentRef": map[string]any{"name": gateway}, "controllerName": controller,
		"conditions": []any{condition("Accepted", "Accepted", "", generation),
			condition("ResolvedRefs", reason, message, generation)}}
	status := map[string]any{"status": map[string]any{"parents": []any{parent}}}
	path := group + "/namespaces/" + namespace + "/httproutes/" + one.Metadata.Name + "/status"
	return ask("PATCH", path, status, &route{})
}

func follow() error {
	taken := ""
	for {
		services, err := addresses()
		if err != nil {
			return err
		}
		var list struct {
			Items []route `json:"items"`
		}
		if err := ask("GET", group+"/namespaces/"+namespace+"/httproutes", nil, &list); err != nil {
			return err
		}
		for _, one := range list.Items {
			state := fmt.Sprint(one.Metadata.Name, one.Metadata.Generation, services)
			if len(one.Spec.ParentRefs) == 0 || one.Spec.ParentRefs[0].Name != gateway || state == taken {
				continue
			}
			if err := take(one, services); err != nil {
				return err
			}
			taken = state
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func choose() string {
	all, sum := targets.Load(), 0
	if all == nil {
		return ""
	}
	for _, one := range *all {
		sum += one.weight
	}
	if sum == 0 {
		return ""
	}
	at := rand.IntN(sum)
	for _, one := range *all {
		if at -= one.weight; at < 0 {
			return one.address
		}
	}
	return ""
}

func main() {
	authority, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	api = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	go func() {
		for {
			log.Print(follow())
			time.Sleep(time.Second)
		}
	}()
	proxy := &httputil.ReverseProxy{
		// A connection an answer: kept ones would go on to a pod that its Service no longer has.
		Transport: &http.Transport{DisableKeepAlives: true},
		Rewrite: func(asked *httputil.ProxyRequest) {
			asked.Out.URL.Scheme = "http"
			asked.Out.URL.Host = asked.Out.Header.Get("X-Target")
			asked.Out.Header.Del("X-Target")
		},
	}
	log.Fatal(http.ListenAndServe(":8080", http.HandlerFunc(func(answer http.ResponseWriter, asked *http.Request) {
		address := choose()
		if address == "" {
			http.Error(answer, "no route", http.StatusServiceUnavailable)
			return
		}
		asked.Header.Set("X-Target", address)
		proxy.ServeHTTP(answer, asked)
	})))
}
