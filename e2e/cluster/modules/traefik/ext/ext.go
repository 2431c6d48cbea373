// Package ext stands for a module that Traefik imports and does not publish: its hooks are empty here.
package ext

// HTTP extends the dynamic configuration by nothing.
type HTTP struct{}

// Router extends a router by nothing.
type Router struct{}
