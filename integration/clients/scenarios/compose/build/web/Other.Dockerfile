FROM testbox
COPY page /word
