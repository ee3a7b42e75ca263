package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A unit is one process of the node.
type unit struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Log     string   `json:"log"`
	// After names units that must be ready before this one starts for the first time.
	After []string `json:"after"`
	// Ready is where it answers once it serves: `unix:<path>` or an http(s) URL. Without one it is ready when it has
	// ended well, and is not started again.
	Ready string `json:"ready"`

	ready chan struct{}
}

const (
	probePeriod    = 50 * time.Millisecond
	shortestPause  = 200 * time.Millisecond
	longestPause   = 5 * time.Second
	longEnoughLife = 10 * time.Second
)

// The supervisor starts units and starts them again when they end.
type supervisor struct {
	units map[string]*unit
	mutex sync.Mutex
	exits map[int]chan syscall.WaitStatus
}

func newSupervisor(units []*unit) *supervisor {
	s := &supervisor{units: map[string]*unit{}, exits: map[int]chan syscall.WaitStatus{}}
	for _, u := range units {
		u.ready = make(chan struct{})
		s.units[u.Name] = u
	}
	return s
}

func (s *supervisor) start() {
	go s.reap()
	for _, u := range s.units {
		go s.keep(u)
	}
}

// reap takes the exit status of every child, adopted orphans (container shims) included.
func (s *supervisor) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if errors.Is(err, syscall.ECHILD) {
			time.Sleep(probePeriod)
			continue
		}
		if err != nil {
			continue
		}
		s.mutex.Lock()
		exit := s.exits[pid]
		delete(s.exits, pid)
		s.mutex.Unlock()
		if exit != nil {
			exit <- status
		}
	}
}

func (s *supervisor) keep(u *unit) {
	for _, name := range u.After {
		<-s.units[name].ready
	}
	if u.Ready != "" {
		go u.awaitReady()
	}
	pause := shortestPause
	os.Truncate(u.Log, 0)
	for {
		started := time.Now()
		status, err := s.run(u)
		if err == nil && u.Ready == "" && status.ExitStatus() == 0 {
			close(u.ready)
			return
		}
		fmt.Printf("%s %s ended (%v, status %d), it is started again\n", started.Format(time.RFC3339), u.Name, err, status)
		if time.Since(started) > longEnoughLife {
			pause = shortestPause
		}
		time.Sleep(pause)
		pause = min(2*pause, longestPause)
	}
}

// run starts the unit's process and waits for its end.
func (s *supervisor) run(u *unit) (syscall.WaitStatus, error) {
	log, err := os.OpenFile(u.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	exit, err := s.fork(u, []uintptr{null.Fd(), log.Fd(), log.Fd()})
	if err != nil {
		return 0, err
	}
	return <-exit, nil
}

// fork registers the child before the reaper can look it up.
func (s *supervisor) fork(u *unit, files []uintptr) (chan syscall.WaitStatus, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	// A process group of its own: signals meant for the node's first process do not reach it.
	attributes := &syscall.ProcAttr{Env: os.Environ(), Files: files, Sys: &syscall.SysProcAttr{Setpgid: true}}
	pid, err := syscall.ForkExec(u.Command[0], u.Command, attributes)
	if err != nil {
		return nil, err
	}
	exit := make(chan syscall.WaitStatus, 1)
	s.exits[pid] = exit
	return exit, nil
}

func (u *unit) awaitReady() {
	// Only liveness of the node's own servers is asked for, so their certificates are not checked.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: time.Second}
	for !u.answers(client) {
		time.Sleep(probePeriod)
	}
	close(u.ready)
}

func (u *unit) answers(client *http.Client) bool {
	if path, found := strings.CutPrefix(u.Ready, "unix:"); found {
		connection, err := net.Dial("unix", path)
		if err != nil {
			return false
		}
		connection.Close()
		return true
	}
	response, err := client.Get(u.Ready)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}
