module model-delivery/local/cluster/pause

go 1.21
