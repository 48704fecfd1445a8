// A CSI plugin whose volumes are directories of its host: the smallest node service that mounts something.
//
// A volume is a directory below the folder named by the one argument, and is made by whoever registers it; publishing
// binds it to where the orchestrator wants it. CSI_ENDPOINT says where to listen, and Nomad sets it.
package main

import (
	"context"
	"errors"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const name = "directories.csi.hashinetes.io"

type plugin struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedNodeServer
	folder string
	node   string
}

func (p *plugin) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: name, VendorVersion: "1.0.0"}, nil
}

func (p *plugin) GetPluginCapabilities(
	context.Context, *csi.GetPluginCapabilitiesRequest,
) (*csi.GetPluginCapabilitiesResponse, error) {
	return &csi.GetPluginCapabilitiesResponse{}, nil
}

func (p *plugin) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

func (p *plugin) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: p.node}, nil
}

func (p *plugin) NodeGetCapabilities(
	context.Context, *csi.NodeGetCapabilitiesRequest,
) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{}, nil
}

// NodePublishVolume may be called again for what it has done.
func (p *plugin) NodePublishVolume(
	_ context.Context, request *csi.NodePublishVolumeRequest,
) (*csi.NodePublishVolumeResponse, error) {
	volume, target := request.GetVolumeId(), request.GetTargetPath()
	if volume != filepath.Base(volume) || strings.HasPrefix(volume, ".") {
		return nil, status.Errorf(codes.InvalidArgument, "%q is no name of a directory", volume)
	}
	source := filepath.Join(p.folder, volume)
	wanted, err := os.Stat(source)
	if err != nil {
		return nil, status.Errorf(codes.NotFound, "there is no volume %s: %v", volume, err)
	}
	if err := os.MkdirAll(target, 0o750); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	found, err := os.Stat(target)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if !os.SameFile(wanted, found) {
		if err := syscall.Mount(source, target, "", syscall.MS_BIND, ""); err != nil {
			return nil, status.Errorf(codes.Internal, "%s cannot be mounted on %s: %v", source, target, err)
		}
	}
	if request.GetReadonly() {
		flags := uintptr(syscall.MS_BIND | syscall.MS_REMOUNT | syscall.MS_RDONLY)
		if err := syscall.Mount("", target, "", flags, ""); err != nil {
			return nil, status.Errorf(codes.Internal, "%s cannot be made read-only: %v", target, err)
		}
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

// NodeUnpublishVolume may be called again for what it has done.
func (p *plugin) NodeUnpublishVolume(
	_ context.Context, request *csi.NodeUnpublishVolumeRequest,
) (*csi.NodeUnpublishVolumeResponse, error) {
	target := request.GetTargetPath()
	err := syscall.Unmount(target, 0)
	if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOENT) {
		return nil, status.Errorf(codes.Internal, "%s cannot be unmounted: %v", target, err)
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

func main() {
	host, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("unix", strings.TrimPrefix(os.Getenv("CSI_ENDPOINT"), "unix://"))
	if err != nil {
		log.Fatal(err)
	}
	server, serving := grpc.NewServer(), &plugin{folder: os.Args[1], node: host}
	csi.RegisterIdentityServer(server, serving)
	csi.RegisterNodeServer(server, serving)
	log.Fatal(server.Serve(listener))
}
