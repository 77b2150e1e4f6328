using System.Buffers;

namespace Grpc.Core;

/// <summary>Where a marshaller writes one message: either whole with <see cref="Complete(byte[])"/>, or into the buffer writer.</summary>
public abstract class SerializationContext
{
    public virtual void Complete(byte[] payload) => throw new NotImplementedException();

    public virtual IBufferWriter<byte> GetBufferWriter() => throw new NotImplementedException();

    public virtual void SetPayloadLength(int payloadLength) => throw new NotImplementedException();

    public virtual void Complete() => throw new NotImplementedException();
}
