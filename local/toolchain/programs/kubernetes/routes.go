package main

import (
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

func hostRoute(address, gateway netip.Addr) *netlink.Route {
	destination := &net.IPNet{IP: address.AsSlice(), Mask: net.CIDRMask(32, 32)}
	return &netlink.Route{Dst: destination, Gw: gateway.AsSlice()}
}

// setRoutes leaves exactly one route through the gateway for each wanted address, and none for the pool's others.
func setRoutes(pool netip.Prefix, gateway netip.Addr, wanted map[netip.Addr]bool) error {
	filter := &netlink.Route{Gw: gateway.AsSlice()}
	present, err := netlink.RouteListFiltered(netlink.FAMILY_V4, filter, netlink.RT_FILTER_GW)
	if err != nil {
		return err
	}
	found := map[netip.Addr]bool{}
	for _, route := range present {
		if route.Dst == nil {
			continue
		}
		address, _ := netip.AddrFromSlice(route.Dst.IP.To4())
		if !pool.Contains(address) {
			continue
		}
		found[address] = true
		if !wanted[address] {
			if err := netlink.RouteDel(&route); err != nil {
				return err
			}
		}
	}
	for address := range wanted {
		if !found[address] {
			if err := netlink.RouteAdd(hostRoute(address, gateway)); err != nil {
				return err
			}
		}
	}
	return nil
}
