//! Where a conversation's key comes from: reading a cookie or a query parameter out of header bytes.
