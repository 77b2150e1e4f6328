namespace Grpc.Core;

/// <summary>What a channel is doing about its connection; the numbers are compiled into callers.</summary>
public enum ConnectivityState
{
    Idle = 0,
    Connecting = 1,
    Ready = 2,
    TransientFailure = 3,
    Shutdown = 4,
}
