SMBGateway.joinProxmox = () => {};
