using AspireStreaming.Streaming.Redis.Wire;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>One call of an append script, with the requests that go in it.</summary>
/// <param name="lane">Told when it has ended, before its callers are.</param>
/// <param name="first">A request.</param>
/// <param name="more">Those after it; null for none.</param>
internal sealed class AppendScript(AppendLane lane, AppendCall first, List<AppendCall>? more) : WireCall
{
    private const int KeyArgument = 3;

    private Exception? _failure;

    public override int Callers { get; } = 1 + (more?.Count ?? 0);

    public byte[] Hash => first.Script;

    public override void Write(RespBuffer into)
    {
        into.WriteCommand(KeyArgument + Callers + CountArguments());
        into.Write("EVALSHA"u8);
        into.WriteHex(Hash);
        into.Write(Callers);
        for (var index = 0; index < Callers; index++)
        {
            into.Write(Call(index).Stream);
        }

        for (var index = 0; index < Callers; index++)
        {
            Call(index).Arguments.Write(into);
        }
    }

    /// <summary>The same for the client library.</summary>
    public (RedisKey[] Keys, RedisValue[] Arguments) ToValues()
    {
        var keys = new RedisKey[Callers];
        var arguments = new RedisValue[CountArguments()];
        var filled = 0;
        for (var index = 0; index < keys.Length; index++)
        {
            var call = Call(index);
            keys[index] = call.Stream;
            call.Arguments.CopyTo(arguments.AsSpan(filled));
            filled += call.Arguments.Count;
        }

        return (keys, arguments);
    }

    public override void Take(in RespReply reply)
    {
        if (more is null)
        {
            first.Take(reply);
        }
        else if (reply.Kind == RespKind.Bulk && reply.Count == 0)
        {
            TakeLines(reply.Value);
        }
        else if (reply.Kind == RespKind.Array && reply.Count == Callers)
        {
            // One of them failed, and its element is an error.
            var elements = reply.Value;
            for (var index = 0; index < Callers; index++)
            {
                RespReply.TryRead(elements, out var element, out var length);
                elements = elements[length..];
                Call(index).Take(element);
            }
        }
        else
        {
            _failure = reply.Kind == RespKind.Error ? new RedisErrorException(reply.Text) : OtherNumber();
        }
    }

    /// <inheritdoc cref="Take(in RespReply)"/>
    public void Take(RedisResult reply)
    {
        if (more is null)
        {
            first.Take(reply);
            return;
        }

        byte[] lines;
        try
        {
            lines = (byte[])reply!;
        }
        catch (InvalidCastException)
        {
            // One of them failed, and so the reply is an array; the client library does not tell its kind otherwise.
            var replies = (RedisResult[])reply!;
            for (var index = 0; index < Callers; index++)
            {
                Call(index).Take(replies[index]);
            }

            return;
        }

        TakeLines(lines);
    }

    public override void Complete(bool inline)
    {
        if (_failure is not null)
        {
            Fail(_failure);
            return;
        }

        // First the next script, so that Redis has something to do while these are answered.
        lane.Release(null);
        for (var index = 0; index < Callers; index++)
        {
            Call(index).Complete(inline);
        }
    }

    public override void Fail(Exception exception)
    {
        lane.Release(exception);
        for (var index = 0; index < Callers; index++)
        {
            Call(index).Fail(exception);
        }
    }

    private static InvalidDataException OtherNumber() => new("The append script answered for another number of requests.");

    private AppendCall Call(int index) => index == 0 ? first : more![index - 1];

    private int CountArguments()
    {
        var count = 0;
        for (var index = 0; index < Callers; index++)
        {
            count += Call(index).Arguments.Count;
        }

        return count;
    }

    /// <summary>A line for each request.</summary>
    private void TakeLines(ReadOnlySpan<byte> text)
    {
        var index = 0;
        foreach (var range in text.Split((byte)'\n'))
        {
            if (index < Callers)
            {
                Call(index).Take(text[range].ToArray());
            }

            index++;
        }

        if (index != Callers)
        {
            _failure = OtherNumber();
        }
    }
}
