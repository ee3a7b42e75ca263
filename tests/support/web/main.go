// A small web application for the deployment tests: what it does is told by its environment.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

func main() {
	if os.Getenv("BEHAVIOUR") == "crash" {
		fmt.Println("loading the model")
		fmt.Println("##vso[task.setvariable variable=stolen]x")
		fmt.Println("fatal: the model file is corrupt")
		os.Exit(3)
	}
	began := time.Now()
	http.HandleFunc("/healthz", func(answer http.ResponseWriter, _ *http.Request) {
		behaviour := os.Getenv("BEHAVIOUR")
		if behaviour == "unready" || behaviour == "flapping" && time.Since(began) > 3*time.Second {
			http.Error(answer, "warming up", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(answer, "ok")
	})
	http.HandleFunc("/score", func(answer http.ResponseWriter, _ *http.Request) {
		if os.Getenv("BEHAVIOUR") == "broken" {
			http.Error(answer, "no prediction today", http.StatusInternalServerError)
			return
		}
		if os.Getenv("BEHAVIOUR") == "slow" {
			time.Sleep(250 * time.Millisecond)
		}
		fmt.Fprintf(answer, `{"score": %s}`, os.Getenv("SCORE"))
	})
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(answer, os.Getenv("MODEL_VERSION"))
	})
	http.HandleFunc("/model/", func(answer http.ResponseWriter, asked *http.Request) {
		http.ServeFile(answer, asked, "/app"+asked.URL.Path)
	})
	if err := http.ListenAndServe(":8080", nil); err != nil {
		panic(err)
	}
}
