namespace Grpc.Core;

/// <summary>Part of signatures only: neither the server nor the client on .NET propagates a call's context this way.</summary>
public class ContextPropagationOptions
{
    public static readonly ContextPropagationOptions Default = new();

    public ContextPropagationOptions(bool propagateDeadline = true, bool propagateCancellation = true)
    {
        IsPropagateDeadline = propagateDeadline;
        IsPropagateCancellation = propagateCancellation;
    }

    public bool IsPropagateDeadline { get; }

    public bool IsPropagateCancellation { get; }
}

/// <inheritdoc cref="ContextPropagationOptions"/>
public abstract class ContextPropagationToken
{
    internal ContextPropagationToken()
    {
    }
}
