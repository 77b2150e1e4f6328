namespace Grpc.Core;

/// <summary>The four call kinds; the numbers are compiled into callers.</summary>
public enum MethodType
{
    Unary = 0,
    ClientStreaming = 1,
    ServerStreaming = 2,
    DuplexStreaming = 3,
}
